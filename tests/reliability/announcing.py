"""`mini-exp` that prints a line when it heeds signals, and one when it starts a cluster."""


def announced(line, function):
    def announcing(*arguments, **options):
        print(line, flush=True)
        return function(*arguments, **options)

    return announcing


def main():
    from mini_exp.cli import main as command_line

    as_it_is = command_line.main

    def with_cluster(**options):
        import distributed

        distributed.LocalCluster = announced("cluster", distributed.LocalCluster)
        return as_it_is(**options)

    command_line.main = announced("heeding", with_cluster)
    command_line(prog_name="mini-exp")


if __name__ == "__main__":
    main()
