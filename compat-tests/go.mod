module github.com/dohle-io/dohle/compat-tests

go 1.26
