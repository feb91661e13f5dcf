"""Every sentence that page, model card, report and console share: a table for each language.

The names of the English table can be imported from here. What a visitor reads comes from the
`Language` that is handed down to whatever makes it, such as `words.HEADLINES`.
"""

from realitycheck.wording.card import *  # noqa: F403
from realitycheck.wording.english import *  # noqa: F403
from realitycheck.wording.english_page import *  # noqa: F403
from realitycheck.wording.language import *  # noqa: F403
