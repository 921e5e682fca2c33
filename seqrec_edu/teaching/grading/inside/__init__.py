"""What runs in a student's process. Nothing here imports ``seqrec_edu``; it is copied to where no solution is."""
