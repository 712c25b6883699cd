MODES = {}
