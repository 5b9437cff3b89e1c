package litert

import "fmt"

// status is LiteRtStatus of litert_common.h. A status other than 0 is an
// error.
type status int32

// err is nil for success, and otherwise the status under a phrase that says
// what failed.
func (s status) err(what string) error {
	if s == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", what, s)
}

func (s status) Error() string {
	name, ok := statusNames()[s]
	if !ok {
		return fmt.Sprintf("LiteRT status %d", int32(s))
	}
	return fmt.Sprintf("%s (LiteRT status %d)", name, int32(s))
}

// statusNames holds the names in litert_common.h: LiteRtGetStatusString is not
// among the symbols that libLiteRt.so exports.
func statusNames() map[status]string {
	return map[status]string{
		1:    "kLiteRtStatusErrorInvalidArgument",
		2:    "kLiteRtStatusErrorMemoryAllocationFailure",
		3:    "kLiteRtStatusErrorRuntimeFailure",
		4:    "kLiteRtStatusErrorMissingInputTensor",
		5:    "kLiteRtStatusErrorUnsupported",
		6:    "kLiteRtStatusErrorNotFound",
		7:    "kLiteRtStatusErrorTimeoutExpired",
		8:    "kLiteRtStatusErrorWrongVersion",
		9:    "kLiteRtStatusErrorUnknown",
		10:   "kLiteRtStatusErrorAlreadyExists",
		100:  "kLiteRtStatusCancelled",
		500:  "kLiteRtStatusErrorFileIO",
		501:  "kLiteRtStatusErrorInvalidFlatbuffer",
		502:  "kLiteRtStatusErrorDynamicLoading",
		503:  "kLiteRtStatusErrorSerialization",
		504:  "kLiteRtStatusErrorCompilation",
		1000: "kLiteRtStatusErrorIndexOOB",
		1001: "kLiteRtStatusErrorInvalidIrType",
		1002: "kLiteRtStatusErrorInvalidGraphInvariant",
		1003: "kLiteRtStatusErrorGraphModification",
		1500: "kLiteRtStatusErrorInvalidToolConfig",
		2000: "kLiteRtStatusLegalizeNoMatch",
		2001: "kLiteRtStatusErrorInvalidLegalization",
		3000: "kLiteRtStatusPatternNoMatch",
		3001: "kLiteRtStatusInvalidTransformation",
		4000: "kLiteRtStatusErrorUnsupportedRuntimeVersion",
		4001: "kLiteRtStatusErrorUnsupportedCompilerVersion",
		4002: "kLiteRtStatusErrorIncompatibleByteCodeVersion",
		5000: "kLiteRtStatusErrorUnsupportedOpShapeInferer",
		5001: "kLiteRtStatusErrorShapeInferenceFailed",
	}
}
