"""Facts in, decisions out: readiness, joins, retry, commits as data. Pure: a plan and an image decide everything."""
