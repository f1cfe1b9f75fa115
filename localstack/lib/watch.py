def up(run, one):
    pass
