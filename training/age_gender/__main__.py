"""`python -m training.age_gender` trains."""

import sys

from training.age_gender.train import main

if __name__ == "__main__":
    sys.exit(main())
