//===- program.h - A compiled program: entries, shapes, execution ---------===//
// No MLIR type appears here. All functions are safe to call from several
// threads at once; errors are returned, never thrown.

#ifndef AFT_PROGRAM_H
#define AFT_PROGRAM_H

#include "aft/abi.h"
#include "aft/export.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aft {

enum class DType : uint8_t { f32, f64, bf16, i1, i8, i32, i64 };

/// Bytes of one element (i1 is stored in one byte).
AFT_API int64_t sizeOf(DType dtype);
/// The MLIR spelling: "f32", "bf16", "i64", …
AFT_API const char *nameOf(DType dtype);

constexpr int64_t kDynamic = -1;

/// A tensor type; an extent of kDynamic is known only at run time.
struct TensorType {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
};

/// What an extent may be.
struct ExtentRange {
  int64_t least = 0, most = INT64_MAX;
};

/// One argument or result of an entry.
struct ValueInfo {
  std::string name; ///< from the argument attribute aft.name; may be empty
  TensorType type;
  int alias = -1; ///< results only: the input whose buffer it updates in place
  /// Inputs only: of each extent, from the argument attribute aft.limits; others are
  /// refused. Empty: any.
  std::vector<ExtentRange> limits = {};
};

struct EntryInfo {
  std::string name;
  std::vector<ValueInfo> inputs, outputs;
};

/// Caller-owned contiguous row-major memory.
struct Buffer {
  void *data = nullptr;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
};

/// A tensor whose memory is the caller's.
struct NamedTensor {
  std::string name;
  Buffer value;
};

/// Empty: success.
struct [[nodiscard]] Status {
  std::string message;
  bool ok() const { return message.empty(); }
};

/// What compileTraining adds to a program: from an entry `loss` it derives
/// `train_step`.
struct TrainingOptions {
  std::string lossEntry = "main"; ///< returns the scalar loss first
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01;
  double clipNorm = 0; ///< 0: no clipping of the global gradient norm
};

/// What a training step keeps of the forward pass for the reverse pass.
enum class Memory : uint8_t {
  normal, ///< all but what is cheap to compute again
  low,    ///< a few narrow places; blocks in between are computed a second time
};

/// How products of bf16 are computed, always summed in f32. Each choice gives the same
/// numbers on all machines with the same width of vectors.
enum class Bf16Products : uint8_t {
  automatic, ///< tiles where there are any; pairs where this machine is faster at them, as
             ///< measured; else f32
  f32,       ///< as products of f32
  pairs,     ///< in pairs along K, by AVX512-BF16 or (slowly) the same in f32 arithmetic
  tiles,     ///< in tiles of pairs, by AMX, which the CPU must have
};

/// How products of f32, of matrices and of aft.full, are computed, always summed in f32.
enum class F32Products : uint8_t {
  exact, ///< of the factors as they are
  tf32,  ///< on a GPU, by tensor cores, which see factors with 10 bits of mantissa: errors up to
         ///< 1e-3 of the largest result
};

struct CompileOptions {
  int threads = 0; ///< up to 4096; 0: AFT_NUM_THREADS, else all CPUs
  std::string cpu = "native";
  /// "cpu"; or "cuda-emulated": the kernels that an NVIDIA GPU would run, on the CPU, slowly:
  /// a test aid. "cuda" is an NVIDIA GPU of this machine, "cuda:sm_XX" one of that
  /// architecture; not tried on a GPU yet.
  std::string target = "cpu";
  int device = 0; ///< for "cuda": which of the GPUs that CUDA_VISIBLE_DEVICES lets through
  std::string cacheDir = "default"; ///< "default": AFT_CACHE_DIR or the user's; "": none
  std::string dumpDir;       ///< one numbered file per phase
  std::shared_ptr<TrainingOptions> training;
  Memory memory = Memory::normal;
  /// Allows what changes results by more than rounding: a small number added to
  /// the denominator of a mixer written by hand is left out.
  bool fast = false;
  Bf16Products bf16Products = Bf16Products::automatic;
  /// For target "cpu": measures, on this machine, tile sizes near those that the compiler's model
  /// chooses, and takes the fastest. The choices are kept in the cache.
  bool tune = false;
  /// `tf32` is for target "cuda" and "cuda-emulated". Of the mixers it changes aft.full alone, and
  /// no derivative.
  F32Products f32Products = F32Products::exact;
  /// The shapes for `tune` to measure with: of all inputs of an entry in order, or of those
  /// with dynamic extents. Empty, or where they do not fit: B = 1, all else 1024.
  std::vector<std::vector<int64_t>> tuneShapes;
};

/// What one step of a compilation took: a phase, or what comes before and after
/// them ("load", "parse", "link").
struct PhaseTime {
  std::string phase;
  double milliseconds = 0;
};

/// How a compilation went.
struct CompileStats {
  double milliseconds = 0;
  bool fromCache = false;
  int kernels = 0;  ///< distinct kernel bodies
  int launches = 0; ///< kernel calls of all entries
  std::vector<PhaseTime> phases; ///< in order; together about `milliseconds`
};

/// What goes into an artifact besides the code.
struct SaveOptions {
  /// Values of inputs, by name. Where a result overwrites or replaces the input it is
  /// the first of its values (a parameter to train, the state of a decoder); elsewhere
  /// the input is no input of the artifact any more. Others are left out.
  std::vector<NamedTensor> weights;
  /// In a file NAME.safetensors beside NAME.so instead of inside.
  bool weightsBeside = false;
  int64_t steps = 0; ///< of training that the weights have behind them
};

/// How an artifact is loaded.
struct LoadOptions {
  int threads = 0;           ///< up to 4096; 0: AFT_NUM_THREADS, else all CPUs
  bool trustWeights = false; ///< verifies the weights' sizes, but not their hash
  /// Reads weights into memory of the process whatever their size: see aft/aft.h.
  bool copyWeights = false;
};

class AFT_API Program {
public:
  virtual ~Program() = default;

  /// Compiles MLIR text (see the dialect's documentation). `name` appears in
  /// error messages in place of a file name.
  static Status compile(const std::string &text, const std::string &name,
                        const CompileOptions &options, std::shared_ptr<Program> &program);

  /// Opens an artifact after its verification (see aft/aft.h, which does the same
  /// from C). In libaft_runtime, which needs no compiler.
  static Status load(const std::string &path, const LoadOptions &options,
                     std::shared_ptr<Program> &program);

  /// Writes an artifact with the code of this program, for this CPU and those that
  /// have its features (and for GPUs, where it is compiled for one). An artifact that was loaded cannot be saved again.
  virtual Status save(const std::string &path, const SaveOptions &options = {}) const = 0;

  virtual const std::vector<EntryInfo> &entries() const = 0;
  virtual const CompileStats &stats() const = 0;
  /// What the compiler did with the program, as JSON: the data of aft/report.h.
  /// For a program from the cache it tells of the compilation that filled it.
  virtual std::string report() const = 0;
  const EntryInfo *entry(const std::string &name) const;

  /// Checks the inputs' dtypes and shapes and computes the outputs' shapes and
  /// the scratch memory in bytes that run will take.
  virtual Status outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                              std::vector<std::vector<int64_t>> &shapes,
                              int64_t *arenaBytes = nullptr) const = 0;

  /// Runs an entry on caller-owned memory. The outputs have the shapes that
  /// outputShapes gives; one that aliases an input has the input's data pointer.
  virtual Status run(const std::string &entry, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs) const = 0;

  /// The same with the host's own parallel_for in place of the pool of threads.
  virtual Status run(const std::string &entry, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs, const aft_runtime_t &host) const = 0;

  /// The same on memory of the GPU that the program is compiled for, in the order of a
  /// CUDA stream (CUstream or cudaStream_t; null: the default stream) of the GPU's primary
  /// context; may return before it is done. Buffers begin at multiples of 16 bytes and must
  /// stay until then.
  virtual Status runResident(const std::string &entry, const std::vector<Buffer> &inputs,
                             const std::vector<Buffer> &outputs, void *stream) const = 0;
};

} // namespace aft

#endif // AFT_PROGRAM_H
