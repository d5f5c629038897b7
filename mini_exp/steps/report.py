"""Step report."""


def run(config, results):
    return {"table1.txt": b"todo"}
