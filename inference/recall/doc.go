// Package recall measures a detector: how many faces of which size it finds,
// what it takes for a face and is none, and how long it needs.
//
// The faces are cut from photos and put, at a chosen size, into frames made of
// photos without people. The same seed gives the same frames.
package recall
