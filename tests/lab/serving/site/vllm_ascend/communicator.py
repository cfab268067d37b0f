"""How the ranks of one model talk: over the network, also where two of them share a host."""

from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator


class NPUCommunicator(CpuCommunicator):
    """The CPU communicator without its shared memory, which cannot reach another host."""

    def _all_group_ranks_share_shm_group_name(self) -> bool:
        return False
