import subprocess
import sys

CODE = """
import sys
from realitycheck.leave_out import left_out
with left_out("email", "json.decoder"):
    import email.message
    import json
assert email.message.Message and email.message.Message.anything  # any name, nothing behind it
assert "email" not in sys.modules and "email.message" not in sys.modules
import email.message
assert isinstance(email.message.Message(), email.message.Message)
assert json.loads("[1]") == [1]  # was loaded before, stays as it is
"""


def test_packages_are_left_out_only_while_asked():
    done = subprocess.run([sys.executable, "-c", "import json\n" + CODE], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


DISARMED = """
from realitycheck.leave_out import disarmed
with disarmed("colorsys", "rgb_to_hsv", "not_there"):
    import colorsys
assert colorsys.rgb_to_hsv(1, 2, 3) is None
assert colorsys.hsv_to_rgb(0, 0, 1) == (1, 1, 1)
assert not hasattr(colorsys, "not_there")
"""


def test_a_module_is_disarmed_of_what_is_named():
    done = subprocess.run([sys.executable, "-c", DISARMED], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
