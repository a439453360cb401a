"""Word lists of our own: synonyms, first names, things that can be counted, sentences beside the point."""

from __future__ import annotations

# A word and what may stand for it wherever our items use it; none that also means something else.
_SYNONYMS = """
additionally/moreover altogether/overall approximately/roughly assist/help begin/start begins/starts
big/large bought/purchased briefly/concisely buys/purchases buy/purchase calculate/compute
carefully/attentively compute/calculate concisely/briefly correct/right currently/presently
determine/establish discovers/finds discovered/found entire/whole eventually/finally exactly/precisely
frequently/often glad/happy happy/glad hence/therefore however/nevertheless immediately/instantly
incorrect/wrong instantly/immediately journey/trip large/big nearly/almost needed/required
nevertheless/however numerous/many obtain/get often/frequently precisely/exactly presently/currently
produces/makes purchase/buy purchased/bought purchases/buys quickly/rapidly rapidly/quickly receives/gets
remaining/leftover required/needed requires/needs roughly/approximately select/choose shop/store
small/little starts/begins therefore/hence usually/normally wrong/incorrect
"""
SYNONYMS: dict[str, tuple[str, ...]] = {
    word: tuple(others.split("/"))
    for word, _, others in (entry.partition("/") for entry in _SYNONYMS.split())
}

# Words that a typing error must neither hit nor make: how many, whether, in which order.
_WEIGHTY = """
true false yes and not xor likely likelier unlikely zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
seventy eighty ninety hundred thousand million half third quarter double triple twice once first second
fourth fifth last next all any some none every each only both either neither more most less least fewer
fewest many few not never always without except unless until before after above below under over between
left right larger largest smaller smallest greater greatest longer longest shorter shortest higher highest
lower lowest older oldest younger youngest equal same different
"""
WEIGHTY = frozenset(_WEIGHTY.split())
# Common words that are one slip away from other common words.
_REAL = """
abroad angle angel appeal apple beach bead bean bear beard beast bored board border bottle brand bread
breath breathe broad brother bother cable candle canal card care carrot cart casual causal chain chair chart
chat cheap cheat chest choose chose clam calm class clear clever closer cloth clothe coast coat coach court
count country county cover dairy daily diary desert dessert dinner diner does dies done door drawn dream
earth eager eats eight enough ever fair fairy fast father farther feather feed feel felt fight find fine
fined fire fist flour floor flower follow form formal former forth from front gain gather ghost giant given
glass good goods grain grand grass great green greet ground group guess guest hair hand handy happy hard
heard heart heat heath heavy hello hire hoped hopped horse hose house hours yours idea inside island issue
kind king kitchen know known lack lake land large later latter lead learn leave leaves less light liked line
lived liver loan long loose lose lost lots lunch main make male march mark market master match mate matter
meal meat mean means meter mile mind mine minor moral morale mother moth mount mouse mouth move much name
near neat nest night noise north note noted nurse ocean offer often open order other outer owner pace page
paid pain paint pair pants paper part party past paste patch path peace peach pears person phone piece pile
pilot place plain plan plane planet plant plate play played please pleased point pool poor port post pound
power press price pride prince print prize proof proud quiet quite race rain raise range reach read ready
real really rent rest result rice rich ride ring rise river road roads role roof room rose rough round route
ruler safe sail said sale salt sand save scale scare score seat seed seen sell send sense sent series serve
shade shake shape share sharp sheep sheet shelf shell shirt shoe shoes shoot shop shore short shot show
shown side sight sign single sister size skill sleep slide slow small smart smell smoke soap sold sole solid
sound south space spare speak speed spend spoke sport stage stain stair stake stand stare start starts state
station steal steam steel step still stone stop store storm story strange stranger street strong study stuff
style sugar suit suite summer super supper sweet table tail take tale tales talk tall task taste teach team
tear tell tend test text than thank that their them then there these thing things think thick thin this
those though thought through throw tide tied tile time tire title together told tool total touch tower town
track trade trail train trait treat tree trees trial tribe trick trip truck true trunk trust truth tunnel
turn type until upper used user usual value view visit voice wait walk wall want warm wash waste watch water
wave wear weather week weight well west what wheel when where whether which while white whole whose wide
wild will wind window wine wing winter wise wish with woman women wonder wood wooden word work world worm
worse worst worth wound write writes wrote yard year young your thee ties tines teas dose sots spot stop
slot
"""
REAL = frozenset(_REAL.split())

_SHE = """
Alice Amy Anna Beth Carla Diana Elena Ella Emily Emma Fiona Hannah Helen Jane Jenny Julia Kate Laura Linda
Lisa Lucy Maria Mary Mia Nora Olivia Paula Rachel Rosa Sally Sara Sarah Sophie Susan Tina Vera
"""
_HE = """
Alan Andrew Ben Bob Brian Carl Charles Daniel David Dennis Edward Eric Felix Fred George Greg Harry Henry
Ivan James John Kevin Leo Liam Lucas Michael Nick Oscar Paul Peter Robert Sam Simon Thomas Tim Tom Walter
"""
# Names that go with "she" and with "he"; a name is replaced by one of its own list.
NAMES: tuple[tuple[str, ...], ...] = (tuple(_SHE.split()), tuple(_HE.split()))
_NEW_SHE = "Aelwyn Brisela Cintra Dovile Eskara Fenya Ilveth Jorunn Kalindi Maevra Orsolya Quilla"
_NEW_HE = "Anselmo Bertok Caddoc Davit Eirikr Fargan Halvard Iskander Jovan Kestrin Ragnvald Tibor"
# Rare or new to readers of English prose: what a renamed item uses.
NEW_NAMES: tuple[tuple[str, ...], ...] = (tuple(_NEW_SHE.split()), tuple(_NEW_HE.split()))
NEIGHBOUR_AGES = (34, 41, 46, 52, 57, 63)

_THINGS = """
apple/apples balloon/balloons bead/beads biscuit/biscuits book/books bottle/bottles brick/bricks
button/buttons candle/candles candy/candies card/cards cookie/cookies cupcake/cupcakes flower/flowers
jar/jars lemon/lemons magazine/magazines marble/marbles mug/mugs muffin/muffins notebook/notebooks
peach/peaches pear/pears pebble/pebbles pen/pens pencil/pencils plate/plates plum/plums postcard/postcards
shell/shells stamp/stamps sticker/stickers stone/stones tile/tiles toy/toys tulip/tulips
"""
# Singular and plural of things that a word problem only counts.
THINGS: dict[str, str] = dict(pair.split("/", 1) for pair in _THINGS.split())
_NONCE = (
    "blicket dax fep glorp kiv lorp mib nurf plom quab rell snib tove vask wug yalp zorp brell crint dremp"
)
NONCE = tuple(_NONCE.split())

IRRELEVANT = (
    "The library on the corner closes early on Fridays.",
    "It rained in the mountains for most of the week.",
    "A new bakery has opened beside the railway station.",
    "The museum moved its oldest paintings to the upper floor.",
    "Somebody left a green umbrella on the bus.",
    "The town council is planning a bicycle path along the river.",
    "The radio played the same song all morning.",
    "Most of the seats in the theatre were covered in red velvet.",
    "The ferry to the island does not run in winter.",
    "A grey cat slept on the windowsill in the sun.",
    "The gardener painted the old bench blue.",
    "The lighthouse was rebuilt after the storm.",
)
