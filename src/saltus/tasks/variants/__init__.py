"""Other ways to ask the same item: prompt styles, perturbations, attacks, novel items.

Start at `get_variant`. What each keeps is stated in its `VariantInfo`; what is never touched, in `protect`.
"""

from saltus.tasks.variants.answers import read_answer
from saltus.tasks.variants.item import Parameter, VariantInfo
from saltus.tasks.variants.variant import Variant, get_variant, list_variants

__all__ = ["Parameter", "Variant", "VariantInfo", "get_variant", "list_variants", "read_answer"]
