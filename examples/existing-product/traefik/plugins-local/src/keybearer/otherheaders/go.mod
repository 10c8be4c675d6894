module keybearer/otherheaders

go 1.21
