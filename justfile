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
    ./bench
