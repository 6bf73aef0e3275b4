"""Which prior of the life tables do real patients support?"""
