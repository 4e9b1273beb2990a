def refuse_mixing(function, params, noise, batch):
    pass
