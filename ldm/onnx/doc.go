// Package onnx runs ONNX graphs on ONNX Runtime: it finds the library, opens
// sessions once with explicit threads, and cancels a run through a context. All
// tensors are float32 and owned by the session, so that a run copies nothing.
package onnx
