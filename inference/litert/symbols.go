package litert

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// Handles to objects that LiteRT owns. They are addresses in C memory, which
// the Go collector must not follow, hence uintptr.
type (
	environment   uintptr
	modelHandle   uintptr
	signature     uintptr
	tensorHandle  uintptr
	options       uintptr
	opaqueOptions uintptr
	compiledModel uintptr
	requirements  uintptr
	tensorBuffer  uintptr
	cFile         uintptr // FILE* of the C library
)

// elementType is LiteRtElementType of litert_model_types.h, as far as face
// models use it.
type elementType int32

const (
	elementFloat32 elementType = 1
	elementUint8   elementType = 3
	elementInt8    elementType = 9
)

// rankedTensorType is LiteRtRankedTensorType (72 bytes, ABI stable):
//
//	typedef struct {
//	  LiteRtElementType element_type;
//	  struct {
//	    unsigned int rank : 7;
//	    unsigned int has_strides : 1;
//	    int32_t dimensions[8];
//	    uint32_t strides[8];
//	  } layout;
//	} LiteRtRankedTensorType;
type rankedTensorType struct {
	element elementType
	bits    uint32
	dims    [8]int32
	_       [8]uint32 // strides
}

func (t *rankedTensorType) rank() int { return int(t.bits & 0x7f) }

// Values of LiteRtQuantizationTypeId.
const (
	quantizationNone      int32 = 0
	quantizationPerTensor int32 = 1
)

// quantizationPerTensorParams is LiteRtQuantizationPerTensor (16 bytes, ABI
// stable): struct { float scale; int64_t zero_point; }.
type quantizationPerTensorParams struct {
	scale     float32
	_         uint32
	zeroPoint int64
}

// envOption is LiteRtEnvOption (24 bytes, ABI stable) holding an integer, or the
// address of a C string:
//
//	typedef struct {
//	  LiteRtEnvOptionTag tag;
//	  struct { LiteRtAnyType type; union { int64_t int_value; const char* str_value; ... }; } value;
//	} LiteRtEnvOption;
type envOption struct {
	tag     int32
	_       uint32
	anyType int32
	_       uint32
	value   int64
}

const (
	envRuntimeLibraryDir        int32 = 22 // kLiteRtEnvOptionTagRuntimeLibraryDir
	envAutoRegisterAccelerators int32 = 24 // kLiteRtEnvOptionTagAutoRegisterAccelerators
	envMinLoggerSeverity        int32 = 25 // kLiteRtEnvOptionTagMinLoggerSeverity

	anyTypeInt    int32 = 2 // kLiteRtAnyTypeInt
	anyTypeString int32 = 8 // kLiteRtAnyTypeString

	severityWarning int64 = 2 // kLiteRtLogSeverityWarning

	acceleratorCPU int32 = 1 // kLiteRtHwAcceleratorCpu
	acceleratorGPU int32 = 2 // kLiteRtHwAcceleratorGpu

	precisionFP32 int32 = 2 // kLiteRtDelegatePrecisionFp32
)

// lineBuffered is _IOLBF of stdio.h.
const lineBuffered int32 = 1

// symbols are the functions of libLiteRt.so 2.3.0 that this package calls,
// each under its prototype from google-ai-edge/LiteRT, litert/c.
type symbols struct {
	// LiteRtStatus LiteRtCreateEnvironment(int num_options,
	//     const LiteRtEnvOption* options, LiteRtEnvironment* environment);
	createEnvironment func(n int32, opts *envOption, env *environment) status
	// void LiteRtDestroyEnvironment(LiteRtEnvironment environment);
	destroyEnvironment func(environment)

	// LiteRtStatus LiteRtCreateModelFromBuffer(LiteRtEnvironment environment,
	//     const void* buffer_addr, size_t buffer_size, LiteRtModel* model);
	// The buffer is not copied: it must outlive the model.
	createModelFromBuffer func(env environment, addr *byte, size uintptr, model *modelHandle) status
	// void LiteRtDestroyModel(LiteRtModel model);
	destroyModel func(modelHandle)

	// LiteRtStatus LiteRtGetModelSignature(LiteRtModel model,
	//     LiteRtParamIndex signature_index, LiteRtSignature* signature);
	// The signature, and whatever is got from it, belongs to the model.
	getModelSignature func(model modelHandle, index uintptr, sig *signature) status
	// LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature signature,
	//     LiteRtParamIndex* num_inputs);
	getNumSignatureInputs func(sig signature, n *uintptr) status
	// LiteRtStatus LiteRtGetSignatureInputName(LiteRtSignature signature,
	//     LiteRtParamIndex input_idx, const char** input_name);
	getSignatureInputName func(sig signature, index uintptr, name **byte) status
	// LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature signature,
	//     LiteRtParamIndex input_idx, LiteRtTensor* tensor);
	getSignatureInputTensorByIndex func(sig signature, index uintptr, tensor *tensorHandle) status
	// LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature signature,
	//     LiteRtParamIndex* num_outputs);
	getNumSignatureOutputs func(sig signature, n *uintptr) status
	// LiteRtStatus LiteRtGetSignatureOutputName(LiteRtSignature signature,
	//     LiteRtParamIndex output_idx, const char** output_name);
	getSignatureOutputName func(sig signature, index uintptr, name **byte) status
	// LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature signature,
	//     LiteRtParamIndex output_idx, LiteRtTensor* tensor);
	getSignatureOutputTensorByIndex func(sig signature, index uintptr, tensor *tensorHandle) status

	// LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor,
	//     LiteRtRankedTensorType* ranked_tensor_type);
	getRankedTensorType func(tensor tensorHandle, typ *rankedTensorType) status
	// LiteRtStatus LiteRtGetQuantizationTypeId(LiteRtTensor tensor,
	//     LiteRtQuantizationTypeId* q_type_id);
	getQuantizationTypeID func(tensor tensorHandle, id *int32) status
	// LiteRtStatus LiteRtGetPerTensorQuantization(LiteRtTensor tensor,
	//     LiteRtQuantizationPerTensor* per_tensor_quantization);
	getPerTensorQuantization func(tensor tensorHandle, q *quantizationPerTensorParams) status

	// LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options);
	createOptions func(opts *options) status
	// void LiteRtDestroyOptions(LiteRtOptions options);
	destroyOptions func(options)
	// LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options,
	//     LiteRtHwAcceleratorSet hardware_accelerators);
	setOptionsHardwareAccelerators func(opts options, set int32) status
	// LiteRtStatus LiteRtCreateOpaqueOptions(const char* payload_identifier,
	//     void* payload_data, void (*payload_destructor)(void* payload_data),
	//     LiteRtOpaqueOptions* options);
	// Takes the payload over; the identifier is copied.
	createOpaqueOptions func(identifier string, payload unsafe.Pointer, destructor uintptr, opts *opaqueOptions) status
	// void LiteRtDestroyOpaqueOptions(LiteRtOpaqueOptions options);
	destroyOpaqueOptions func(opaqueOptions)
	// LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options,
	//     LiteRtOpaqueOptions opaque_options);
	// Takes opaque_options over when it succeeds.
	addOpaqueOptions func(opts options, opaque opaqueOptions) status

	// LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment,
	//     LiteRtModel model, LiteRtOptions compilation_options,
	//     LiteRtCompiledModel* compiled_model);
	createCompiledModel func(env environment, model modelHandle, opts options, compiled *compiledModel) status
	// void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled_model);
	destroyCompiledModel func(compiledModel)
	// LiteRtStatus LiteRtCompiledModelIsFullyAccelerated(
	//     LiteRtCompiledModel compiled_model, bool* fully_accelerated);
	compiledModelIsFullyAccelerated func(compiled compiledModel, full *bool) status
	// LiteRtStatus LiteRtGetCompiledModelInputBufferRequirements(
	//     LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index,
	//     LiteRtParamIndex input_index,
	//     LiteRtTensorBufferRequirements* buffer_requirements);
	// The requirements belong to the compiled model.
	getCompiledModelInputBufferRequirements func(compiled compiledModel, sig, index uintptr, req *requirements) status
	// LiteRtStatus LiteRtGetCompiledModelOutputBufferRequirements(
	//     LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index,
	//     LiteRtParamIndex output_index,
	//     LiteRtTensorBufferRequirements* buffer_requirements);
	getCompiledModelOutputBufferRequirements func(compiled compiledModel, sig, index uintptr, req *requirements) status
	// LiteRtStatus LiteRtGetTensorBufferRequirementsBufferSize(
	//     LiteRtTensorBufferRequirements requirements, size_t* buffer_size);
	getTensorBufferRequirementsBufferSize func(req requirements, size *uintptr) status
	// LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(
	//     const LiteRtRankedTensorType* tensor_type, void* host_buffer_addr,
	//     size_t host_buffer_size, LiteRtHostMemoryDeallocator deallocator,
	//     LiteRtTensorBuffer* buffer);
	// A null deallocator leaves the memory to the caller; it must be aligned
	// to 64 bytes (LITERT_HOST_MEMORY_BUFFER_ALIGNMENT).
	createTensorBufferFromHostMemory func(typ *rankedTensorType, addr *byte, size, deallocator uintptr, buf *tensorBuffer) status
	// void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
	destroyTensorBuffer func(tensorBuffer)
	// LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled_model,
	//     LiteRtParamIndex signature_index,
	//     size_t num_input_buffers, LiteRtTensorBuffer* input_buffers,
	//     size_t num_output_buffers, LiteRtTensorBuffer* output_buffers);
	// An address, for run: a function that purego registers allocates memory
	// in each call.
	runCompiledModel uintptr

	// From the C library:

	// void* malloc(size_t size);
	malloc func(size uintptr) unsafe.Pointer
	// void free(void* ptr); kept as an address: LiteRT calls it.
	free uintptr
	// FILE* fdopen(int fd, const char* mode);
	fdopen func(fd int32, mode string) cFile
	// int setvbuf(FILE* stream, char* buf, int mode, size_t size);
	setvbuf func(file cFile, buf *byte, mode int32, size uintptr) int32
	// FILE* stderr; the address of the variable.
	stderr uintptr
}

// runArgs are the arguments of LiteRtRunCompiledModel. They are kept for all
// runs, as a slice of them that the compiler made would be new each time. in
// and out are on the heap, which does not move, and must live as long.
func runArgs(compiled compiledModel, in, out []tensorBuffer) []uintptr {
	const firstSignature = 0
	return []uintptr{
		uintptr(compiled), firstSignature,
		uintptr(len(in)), uintptr(unsafe.Pointer(unsafe.SliceData(in))),
		uintptr(len(out)), uintptr(unsafe.Pointer(unsafe.SliceData(out))),
	}
}

// run calls LiteRtRunCompiledModel.
func (s *symbols) run(args []uintptr) status {
	r, _, _ := purego.SyscallN(s.runCompiledModel, args...)
	return status(r)
}

// resolve binds every symbol found in the loaded library and returns the names
// of those that are missing. Nothing may be called unless none is.
func (s *symbols) resolve(library uintptr) (missing []string) {
	lookup := func(from uintptr, name string) uintptr {
		// For a missing symbol the error only repeats the name.
		addr, err := purego.Dlsym(from, name)
		if err != nil || addr == 0 {
			missing = append(missing, name)
			return 0
		}
		return addr
	}
	for _, f := range []struct {
		name string
		fn   any
	}{
		{"LiteRtCreateEnvironment", &s.createEnvironment},
		{"LiteRtDestroyEnvironment", &s.destroyEnvironment},
		{"LiteRtCreateModelFromBuffer", &s.createModelFromBuffer},
		{"LiteRtDestroyModel", &s.destroyModel},
		{"LiteRtGetModelSignature", &s.getModelSignature},
		{"LiteRtGetNumSignatureInputs", &s.getNumSignatureInputs},
		{"LiteRtGetSignatureInputName", &s.getSignatureInputName},
		{"LiteRtGetSignatureInputTensorByIndex", &s.getSignatureInputTensorByIndex},
		{"LiteRtGetNumSignatureOutputs", &s.getNumSignatureOutputs},
		{"LiteRtGetSignatureOutputName", &s.getSignatureOutputName},
		{"LiteRtGetSignatureOutputTensorByIndex", &s.getSignatureOutputTensorByIndex},
		{"LiteRtGetRankedTensorType", &s.getRankedTensorType},
		{"LiteRtGetQuantizationTypeId", &s.getQuantizationTypeID},
		{"LiteRtGetPerTensorQuantization", &s.getPerTensorQuantization},
		{"LiteRtCreateOptions", &s.createOptions},
		{"LiteRtDestroyOptions", &s.destroyOptions},
		{"LiteRtSetOptionsHardwareAccelerators", &s.setOptionsHardwareAccelerators},
		{"LiteRtCreateOpaqueOptions", &s.createOpaqueOptions},
		{"LiteRtDestroyOpaqueOptions", &s.destroyOpaqueOptions},
		{"LiteRtAddOpaqueOptions", &s.addOpaqueOptions},
		{"LiteRtCreateCompiledModel", &s.createCompiledModel},
		{"LiteRtDestroyCompiledModel", &s.destroyCompiledModel},
		{"LiteRtCompiledModelIsFullyAccelerated", &s.compiledModelIsFullyAccelerated},
		{"LiteRtGetCompiledModelInputBufferRequirements", &s.getCompiledModelInputBufferRequirements},
		{"LiteRtGetCompiledModelOutputBufferRequirements", &s.getCompiledModelOutputBufferRequirements},
		{"LiteRtGetTensorBufferRequirementsBufferSize", &s.getTensorBufferRequirementsBufferSize},
		{"LiteRtCreateTensorBufferFromHostMemory", &s.createTensorBufferFromHostMemory},
		{"LiteRtDestroyTensorBuffer", &s.destroyTensorBuffer},
		{"malloc", &s.malloc},
		{"fdopen", &s.fdopen},
		{"setvbuf", &s.setvbuf},
	} {
		if addr := lookup(library, f.name); addr != 0 {
			purego.RegisterFunc(f.fn, addr)
		}
	}
	s.runCompiledModel = lookup(library, "LiteRtRunCompiledModel")
	s.free = lookup(library, "free")
	// A program linked by a C compiler may hold its own copy of the variable,
	// and that copy is the one in use: look where the dynamic linker looks.
	s.stderr = lookup(purego.RTLD_DEFAULT, "stderr")
	return missing
}
