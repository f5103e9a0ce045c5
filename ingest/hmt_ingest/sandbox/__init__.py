"""Documents are parsed in processes of their own: what a hostile file breaks is not ours.

A fork server (`forkserver`), started clean and without the model, forks one child for each document. The child
(`child`) is limited in memory and time (`limits`) and streams pages to us over a socket (`wire`); `opening` is our side
of it and turns whatever happens to the child into a clear error (`verdict`).
"""
