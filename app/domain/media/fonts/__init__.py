"""The letters that papers and icons are set in: DejaVu Sans, cut to the scripts people here write.

Latin with every accent, Greek, Cyrillic and Arabic. See LICENSE beside the files.
"""

from pathlib import Path

_HERE = Path(__file__).parent
REGULAR = str(_HERE / "DejaVuSans.ttf")
BOLD = str(_HERE / "DejaVuSans-Bold.ttf")
