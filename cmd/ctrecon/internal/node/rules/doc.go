// Package rules says what is made of a series and where it goes. Rules stand in a TOML
// file; the first that matches a series is taken.
//
//	[[peer]]
//	name = "pacs"                     # used by rules
//	address = "ORTHANC@10.0.0.5:4242"
//	commit = true                     # ask for storage commitment after sending
//
//	[[rule]]
//	name = "chest"
//	modality = "CT"
//	series_description = "(?i)lung|thorax"
//	calling = ["SCANNER1"]
//	tags = { BodyPartExamined = "CHEST" }
//	views = 25
//	methods = ["tv", "resample"]
//	destinations = ["pacs"]
package rules
