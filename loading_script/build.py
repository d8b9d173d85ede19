"""Make the dataset repository from the official release: the same as `bioscan5m build`, see `--help`.

    python loading_script/build.py RELEASE bioscan-5m --package cropped_256

This file is not uploaded: the repository on the Hub holds no code.
"""

import sys

from bioscan5m_hf.cli import main


if __name__ == "__main__":
    sys.argv.insert(1, "build")
    main()
