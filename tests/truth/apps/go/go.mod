module spantap.test/truth

go 1.24
