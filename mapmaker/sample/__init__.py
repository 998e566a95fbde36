"""New maps: latents from seeds, pictures from a trained generator or from a floor plan."""
