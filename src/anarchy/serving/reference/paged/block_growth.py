"""The blocks that running sequences take as their outputs grow, over many steps at once."""


class BlockGrowth:
    """How many sequences take a new block at which step of their worker.

    A sequence takes one every `block_tokens` steps, so it has a phase: the steps that it takes
    one at, modulo `block_tokens`.
    """

    def __init__(self, block_tokens: int) -> None:
        self._tokens = block_tokens
        self._phases = [0] * block_tokens
        self._sequences = 0

    def clear(self) -> None:
        """There is no sequence."""
        self._phases = [0] * self._tokens
        self._sequences = 0

    def add(self, known: int, joined: int) -> None:
        """A sequence had `known` tokens before step `joined` and makes one at each step since."""
        self._phases[(joined + 1 - known) % self._tokens] += 1
        self._sequences += 1

    def remove(self, known: int, joined: int) -> None:
        """Undo `add`."""
        self._phases[(joined + 1 - known) % self._tokens] -= 1
        self._sequences -= 1

    def at(self, step: int) -> int:
        """Blocks taken at a step."""
        return self._phases[step % self._tokens]

    def after(self, step: int, steps: int) -> int:
        """Blocks that the `steps` steps from `step` on take, without those of the first one."""
        rounds, rest = divmod(steps - 1, self._tokens)
        phases, size = self._phases, self._tokens
        return rounds * self._sequences + sum(phases[(step + 1 + i) % size] for i in range(rest))

    def most_steps(self, step: int, steps: int, room: int) -> int:
        """The most of the next `steps` steps whose blocks, but for the first one's, have room."""
        if steps == 1 or -(-steps // self._tokens) * self._sequences <= room:
            return steps
        low, high = 1, steps
        while low < high:
            middle = (low + high + 1) // 2
            if self.after(step, middle) <= room:
                low = middle
            else:
                high = middle - 1
        return low
