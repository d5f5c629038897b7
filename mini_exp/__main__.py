from mini_exp.cli import main

main()
