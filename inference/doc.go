// Package inference finds faces in a picture and turns each into an embedding.
//
// It sees a picture as strided planes (View), so a camera's YUYV buffer and a
// decoded JPEG go the same way, and it reads each model's input straight out
// of that buffer: no full-frame conversion is made. Networks are behind an
// interface; package litert runs them.
package inference
