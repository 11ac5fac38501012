"""The table of a benchmark that sets hyperslab beside h5py: a line for each case, with the ratio of their medians."""
import os

import h5py


class Table:
    """Lines that are printed as they come."""

    def __init__(self):
        self.missed = 0
        print('h5py %s on HDF5 %s, %d cores' % (h5py.__version__, h5py.version.hdf5_version, os.cpu_count()))
        print('%-13s %12s %12s %8s %8s   %s' % ('case', 'hyperslab', 'h5py', 'ratio', 'goal', 'what'))

    def add(self, name, case, mine, other):
        """The seconds of both; gives how many times as fast ours is."""
        ratio = other / mine
        reached = ratio >= case.goal
        self.missed += not reached
        print('%-13s %10.1fms %10.1fms %7.1fx %7.2fx%s %s' % (
            name, mine * 1e3, other * 1e3, ratio, case.goal, ' ' if reached else '!', case.__doc__), flush=True)
        return ratio

    def fail(self, name, error):
        """A case that could not be measured."""
        self.missed += 1
        print('%-13s %s' % (name, error), flush=True)
