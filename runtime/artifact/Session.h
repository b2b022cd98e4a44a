//===- Session.h - An entry with the state that its calls hand on ---------===//

#ifndef AFT_RUNTIME_ARTIFACT_SESSION_H
#define AFT_RUNTIME_ARTIFACT_SESSION_H

#include "runtime/artifact/Artifact.h"

#include <cstdlib>

namespace aft {

class Session {
public:
  /// See aft_session_create.
  static Failure create(std::shared_ptr<Artifact> artifact, size_t entry, int64_t batch,
                        std::unique_ptr<Session> &session);

  /// Runs the entry once. `runtime` null: the library's threads.
  Failure step(const std::vector<Buffer> &arguments, const std::vector<Buffer> &results,
               const aft_runtime_t *runtime);
  Failure reset();

  struct State {
    std::string name;
    size_t argument, result;
    bool inPlace;
    Buffer value;
    std::unique_ptr<void, decltype(&std::free)> memory{nullptr, &std::free};
    /// What the next result goes to.
    std::unique_ptr<void, decltype(&std::free)> next{nullptr, &std::free};
    int64_t bytes = 0, nextBytes = 0; ///< of the memory
  };
  const std::vector<State> &states() const { return all; }
  const std::shared_ptr<Artifact> &artifact() const { return program; }
  const Artifact::Signature &signature() const { return program->signature(entry); }

  Failure save(const std::string &path) const;
  Failure load(const std::string &path);

  int64_t steps = 0, seed = 0;

private:
  Session(std::shared_ptr<Artifact> artifact, size_t entry, int64_t batch);
  bool takesBatches() const;
  Failure firstShape(const State &state, std::vector<int64_t> &shape) const;
  Failure collect(const std::vector<Buffer> &given, std::vector<Buffer> &arguments, int64_t &number,
                  int64_t &drawn) const;
  Failure prepareResults(const std::vector<Buffer> &given, const std::vector<Buffer> &arguments,
                         std::vector<Buffer> &results);

  std::shared_ptr<Artifact> program;
  size_t entry;
  int64_t batch;
  std::vector<State> all;
};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_SESSION_H
