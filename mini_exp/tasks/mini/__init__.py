"""MINI and MiniModel (Sørby 2019, section 4.3): many small networks as one stack."""
