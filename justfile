# `just` lists these; ./test is the gate.
quick:
    ./test --quick
test:
    ./test
long:
    ./test --long
demo:
    cargo run --release -- demo
bench:
    .venv/bin/python bench/side_by_side.py
