"""``python -m seqrec_edu``: the same as the command ``seqrec-edu``."""

from seqrec_edu.cli import main

if __name__ == "__main__":
    main()
