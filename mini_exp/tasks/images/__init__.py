"""Images in classes: data sets, convolutional networks, their training."""
