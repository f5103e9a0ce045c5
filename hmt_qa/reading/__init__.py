"""How the local engine reads documents: segment by segment on a CPU, by groups of segments on a GPU."""
