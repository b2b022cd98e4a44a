//===- Checkpoint.h - A training run on disk ------------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_CHECKPOINT_H
#define AFT_EXAMPLES_CHARLM_CHECKPOINT_H

#include "examples/char-lm/Model.h"

namespace charlm {

/// The file of a model directory.
std::string checkpointPath(const std::string &modelDir);

/// Throws std::runtime_error unless a file can be written there, and leaves nothing behind.
void requireWritable(const std::string &path);

/// Makes the model directory and throws std::runtime_error unless a checkpoint can be
/// written there.
void prepareModelDir(const Options &options);

/// Writes weights, moments, the number of steps and the model's options to a
/// temporary file and renames it. Throws std::runtime_error, and leaves an
/// earlier checkpoint as it was, when the disk does not take it.
void saveCheckpoint(const Options &options, aft::nn::LanguageModel model,
                    const aft::TrainingModule &training);

/// Sets those options that describe the model from a checkpoint. Throws
/// std::runtime_error where there is none or it is damaged.
void readModelOptions(Options &options);

/// Throws std::runtime_error where there is no checkpoint, or one of another model than the
/// options say.
void requireCheckpoint(const Options &options);

/// Loads the weights and, unless null, the optimiser's state. Throws
/// std::runtime_error when the checkpoint is of another model than the options
/// say, naming the difference, or damaged; nothing is changed then.
void loadCheckpoint(const Options &options, aft::nn::LanguageModel model,
                    const aft::TrainingModule *training);

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_CHECKPOINT_H
