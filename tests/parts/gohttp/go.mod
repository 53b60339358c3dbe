module spantap.test/gohttp

go 1.24
