"""`downlink mission new`: a mission package that installs and runs, to be changed into one's own."""
