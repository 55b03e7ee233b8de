package dimse

// Object is an object in a DICOM file that can be sent.
type Object struct {
	StoreRequest
	Path   string
	Offset int64 // where the data set begins in the file
}

// ReadObject reads the header (group 2) of a DICOM file.
func ReadObject(path string) (Object, error) { return Object{}, errTodo }

// FileHeader is what stands before the data set in a file: preamble, DICM and
// group 2.
func FileHeader(r StoreRequest) []byte { return nil }
