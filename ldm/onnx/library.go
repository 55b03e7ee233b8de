package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// LibraryEnv names the environment variable with the path of the library.
const LibraryEnv = "CTRECON_ONNXRUNTIME"

// minVersion is what the binding's API version needs.
const minVersion = "1.29"

// ErrNoLibrary is the reason when ONNX Runtime was not found; its text tells how
// to get it.
var ErrNoLibrary = errors.New("ONNX Runtime was not found: run `make ort` in the source folder, or set " + LibraryEnv + " to the path of libonnxruntime.so (" + minVersion + " or later)")

// Library is the ONNX Runtime in use.
type Library struct {
	Path    string // empty when the system's loader found it
	Found   string // where: "environment", "beside the program", "user cache", "system"
	Version string
}

// fileNames of the library, the pinned one first.
var fileNames = []string{"libonnxruntime.so.1.31.1", "libonnxruntime.so.1", "libonnxruntime.so"}

// candidates are the places where the library may be, in the order of search.
func candidates() []Library {
	var c []Library
	if p := os.Getenv(LibraryEnv); p != "" {
		return []Library{{Path: p, Found: "environment"}}
	}
	add := func(dir, found string) {
		for _, n := range fileNames {
			if p := filepath.Join(dir, n); isFile(p) {
				c = append(c, Library{Path: p, Found: found})
			}
		}
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		add(filepath.Dir(exe), "beside the program")
		add(filepath.Join(filepath.Dir(exe), "lib"), "beside the program")
	}
	if dir, err := os.UserCacheDir(); err == nil {
		add(filepath.Join(dir, "ctrecon"), "user cache")
	}
	for _, dir := range []string{"/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"} {
		add(dir, "system")
	}
	return append(c, Library{Path: "libonnxruntime.so.1", Found: "system"})
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

var open = sync.OnceValues(openLibrary)

// Open finds and loads the library; later calls give the first answer, since a
// process can load only one. The error wraps ErrNoLibrary when there is none.
func Open() (Library, error) { return open() }

func openLibrary() (Library, error) {
	var first error
	for _, lib := range candidates() {
		ort.SetSharedLibraryPath(lib.Path)
		// What is worth knowing comes back with errors; its log would repeat it.
		err := ort.InitializeEnvironment(ort.WithLogLevelFatal())
		if err == nil {
			lib.Version = ort.GetVersion()
			return lib, nil
		}
		if first == nil && isFile(lib.Path) {
			first = fmt.Errorf("%s cannot be used (%v); ONNX Runtime %s or later is needed: %w", lib.Path, err, minVersion, ErrNoLibrary)
		}
	}
	if p := os.Getenv(LibraryEnv); p != "" && first == nil {
		first = fmt.Errorf("%s=%s: no such file: %w", LibraryEnv, p, ErrNoLibrary)
	}
	if first == nil {
		first = ErrNoLibrary
	}
	return Library{}, first
}
