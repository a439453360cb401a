"""Room for what needs activations or gradients: which parts of a network carry an ability."""
