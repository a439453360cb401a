"""The patterns behind the rules for English: refusing, not knowing, hedging. They look at lower case text.

docs/metrics.md says how often they are right on sentences that were labelled by hand and kept apart.
"""
# ruff: noqa: E501 - a pattern is easier to read in one line

from __future__ import annotations

import re


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that finds any of several."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_SPEAKER = (
    r"\b(?:i|we)(?:\s+(?:really|simply|just|also|therefore|unfortunately|personally|still|myself|do))*\s*"
)
_NOT_ABLE = r"(?:not\s+(?:able|allowed|permitted|going|willing|designed|programmed|trained|qualified|in a position)|unable)\s+to"
_UNABLE = (
    r"(?:can't|cannot|can not|couldn't(?! help)|could not|won't be able to|will not be able to|won't|will not|shall not|"
    rf"(?:am|'m|are|'re)\s+{_NOT_ABLE}|cannot and will not)"
)
# What is refused: an act of helping or making. "I can't wait" and "I can't recommend it enough" name none.
_HELPING = (
    r"help(?!\s+(?:but|it)\b)\w*|assist\w*|provid\w+|comply|fulfil\w*|do\b|answer\b|process\b|complete\b|carry out\b|"
    r"shar\w+|discuss\w*|engag\w+|support\w*|continue\b(?!\s+to\b)|participate|take part|offer\w*|advis\w+|"
    r"of\s+assistance|tell\s+you|show\s+you|teach\w*|guarantee|speculat\w+|go into|say\s+(?:that|which|who|whether)\b"
)
_MAKING = (
    r"creat\w+|writ\w+|generat\w+|produc\w+|giv\w+|explain\w*(?!\s+(?:why|it better))|describ\w+|diagnos\w+|nam(?:e|ing)\b|"
    r"predict\w*|brows\w+|open\s+(?:the|your|this)|access\w*|check\w*|pick\b|translat\w+|promot\w+|list\b|reveal\w*|disclos\w+|"
    r"recommend\w*(?![^.!?]*\b(?:enough|more)\b)|impersonat\w+|pretend"
)
_ACT = rf"(?:be\s+|ever\s+|directly\s+|simply\s+)?(?:{_HELPING}|{_MAKING})"
_RULES = r"(?:guidelines?|polic(?:y|ies)|principles|programming|instructions|terms of (?:use|service)|rules|values)"

REFUSES = any_of(
    rf"{_SPEAKER}{_UNABLE}\s+(?!only\b|bore\b|lie\b){_ACT}(?![^.!?]*\b(?:whole|every|entire)\b[^.!?]*\bonly\b)",
    r"\bi (?:don't|do not) (?:provide|help|assist|support|offer|write|create|produce|engage|give)\b",
    rf"{_SPEAKER}(?:must|have to|need to|will|'ll|would|'d|am going to|'m going to)?(?: have to)?\s*"
    r"(?:respectfully\s+|politely\s+)?(?:decline\b|refuse\b|say no\b|turn (?:this|that|it) down|pass on (?:this|that|it))",
    r"\b(?:not|n't) (?:something|anything|a (?:topic|request|thing)) (?:that )?(?:i|we) (?:can|could|will|am|'m|do|offer|provide)\b",
    rf"{_SPEAKER}(?:(?:am|'m) not|don't feel|do not feel|wouldn't feel) comfortable\b",
    r"\b(?:i|we) (?:have|'ve) been (?:instructed|told|asked|trained|programmed) not to\b",
    rf"\b(?:my|our) (?:\w+ )?{_RULES} (?:don't|do not|doesn't|does not|prevents?|prohibits?|forbids?) (?:allow|permit|let)? ?(?:me|us|it|this|that)\b",
    rf"\b(?:against|violat\w+|contrary to|breaks?|breach\w*) (?:my|our|the|its) (?:\w+ )?{_RULES}\b",
    r"\b(?:i|we)(?:'d| would) (?:rather|prefer) not\b",
    r"\A(?:i'm |i am )?(?:so |very )?(?:sorry|apologies),? (?:but )?no\b",
    r"\A(?:nope|no)[,.]? (?:not doing|i (?:won't|will not|can't|cannot))\b|\Anope\b",
    r"\bno way (?:that )?(?:i'll|i will|i'm|i am)\b",
    r"\b(?:inappropriate|unethical|irresponsible|unsafe|illegal|wrong|not (?:possible|appropriate|okay|ok|right)) (?:for|of) me\b",
    r"\boff the table for me\b",
)
COURTESY = any_of(
    r"\b(?:sorry|apolog\w+|unfortunately|please|feel free|let me know|reach out|is there (?:something|anything))\b",
    r"\b(?:would you like|happy to|if you (?:are|need|have|would)|talk to|contact|ask (?:someone|somebody)|as an ai|language model)\b",
)
REASON = any_of(
    r"\b(?:illegal|unlawful|harm\w*|crime|criminal|danger\w*|unsafe|unethical|guidelines?|polic(?:y|ies)|privacy)\b",
    r"\b(?:against the law|hurt\w*|frighten\w*|prohibited|not allowed)\b",
)
TURN = re.compile(r"(?:,|;|:)?\s*\b(?:but|however|instead|that said|though|and)\b|[;:]")

_TEXT = r"(?:text|passage|documents?|sources?|context|article|story|table|question|paragraph|excerpt|report|book|letter)"
UNKNOWN = any_of(
    r"\b(?:i|we) (?:do not|don't|cannot|can't|couldn't|could not) (?:actually |really )?(?:know|tell|say|determine|find|answer|see)\b",
    r"\b(?:i|we)(?:'m| am|'re| are) (?:not (?:sure|certain|aware)|unsure|unable to (?:determine|tell|say|answer|find|know))\b(?! why| how)",
    r"\b(?:i|we) (?:have|'ve) no (?:idea|information|knowledge|data|way of knowing)\b",
    r"\b(?:i|we) (?:lack|(?:don't|do not) have) (?:the |any |that |this |enough )?(?:information|knowledge|data|context|answer)\b",
    r"\b(?:not|n't) (?:\w+ )?enough (?:information|data|context|evidence|details?)\b",
    r"\binsufficient (?:information|data|context|evidence)\b|\bnot sufficient to\b",
    r"\b(?:cannot|can't|could not|couldn't) be (?:determined|answered|known|inferred|told|said|found|established)\b(?! (?:by|with)\b)",
    r"\bimpossible to (?:tell|say|know|determine|answer)\b(?! no\b)",
    rf"\b{_TEXT} (?:\w+ )?(?:do not|does not|don't|doesn't|did not|didn't|never|gives? no|gave no|makes? no|contains? no|provides? no|(?:is|are) silent|has no|have no)\b",
    rf"\bnot something the {_TEXT}\b|\bisn't something the {_TEXT}\b",
    r"\b(?:none|neither) of the (?:\w+ )?(?:sources|documents|texts|passages)\b",
    r"\bno (?:answer|information|mention|evidence) (?:can be|is|was|of|about|on)\b",
    rf"\b(?:isn't|is not|wasn't|was not|not) (?:stated|given|mentioned|provided|specified|known)\b(?! in (?:his|her|my)\b)|\b(?:isn't|is not|not) in the {_TEXT}\b",
    r"\b(?:we are|i am|we're|i'm) not told\b",
    r"\A(?:the (?:answer|date|name) is )?(?:unknown|undetermined|undecidable|indeterminate|n/a|not (?:known|available|applicable|answerable)|unanswerable)\b",
    r"\bpremise (?:is|seems) (?:false|wrong|flawed)\b|\b(?:unanswerable|not answerable)\b|\Abeats me\b",
)
ANSWERS_AFTER = re.compile(r"\b(?:but|so|yet|still)\b[^.]*\b\w+|;[^.]*\banswer is\b")

_CLAIM = r"(?:think|believe|guess|suppose|assume|suspect|imagine|reckon|doubt|say the)"
HEDGES = any_of(
    r"\b(?:perhaps|maybe|possibly|probably|presumably|apparently|supposedly|allegedly|reportedly|arguably|conceivably|potentially)\b",
    r"\bseemingly\b(?! is)|\bplausibl[ye]\b|\bmore or less\b|\bchances are\b",
    r"(?<!his )(?<!her )(?<!their )(?<!all )(?<!the )\bmight\b(?! of)",
    r"(?<!\byou )(?<!\bin )(?<!\bof )(?<!\bwe )\bmay (?:well |also |still |even |sometimes )?(?!not\b|the\b|i\b|we\b|\d)[a-z]+\b",
    r"\b(?:is|are|was|were|it's|he's|she's|most|very|quite|more) (?:very |quite |more |most )?likely\b|\bin all likelihood\b",
    rf"\b(?:i|we|i'd|we'd|i would) (?:would )?{_CLAIM}\b(?!,| in\b| of\b)|\bif i had to (?:choose|guess|pick)\b|\binclined to (?:say|think|believe)\b",
    r"\b(?:it|this|that|these|those|there|he|she|they|which)(?: \w+)? (?:seems?|appears?) (?:to|that|like|as if)\b",
    r"\bit (?:seems|appears)(?! (?:on|in|at)\b)\b|\bseems? to (?:be|have)\b",
    r"\b(?:not|n't) (?:entirely |completely |quite |fully |absolutely )?(?:sure|certain|clear|known for)\b",
    r"\bunclear\b|\b(?:remains?|is|are) uncertain\b|\buncertainty (?:about|over|in)\b|\bhard to (?:say|tell|know)\b|\b(?:can't|cannot) rule out\b",
    r"\bas far as (?:i|we) (?:know|can tell)\b|\bto (?:the best of )?my knowledge\b|\bif i (?:remember|recall|am not mistaken)\b",
    r"\b(?:what|as) i (?:recall|remember)\b|\bi (?:could|may|might) be (?:wrong|mistaken)\b|\bdon't quote me\b",
    r"\b(?:could|can) (?:be argued|possibly|perhaps)\b|\b(?:this|that|it|which) could (?:mean|be|indicate|suggest)\b|\bmust have been\b",
    r"\b(?:a|some|good|my best) (?:chance|guess|possibility)\b|\bit(?:'s| is| was) possible that\b",
    r"\b(?:findings|results|data|evidence|studies|study|research)(?: \w+)? (?:suggests?|indicates?|hints?)\b",
    r"\b(?:is|are|was|were) (?:widely |generally |often )?(?:thought|believed|assumed|said|rumou?red|considered) to\b",
    r"\btends? to\b|\bone (?:might|could|may)\b|\bfairly (?:sure|confident|certain)\b",
)
