//===- Cache.h - Compiled programs on disk --------------------------------===//
// One file per program, named by the hash of everything it depends on. Nothing
// in the folder is trusted: it must belong to this user and to nobody else, and
// an entry that is damaged in any way counts as absent.

#ifndef AFT_RUNTIME_JIT_CACHE_H
#define AFT_RUNTIME_JIT_CACHE_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <optional>
#include <string>

namespace aft {

class AFT_INTERNAL Cache {
public:
  /// `folder` "default": AFT_CACHE_DIR, else the user's cache folder; empty: no
  /// cache at all.
  explicit Cache(const std::string &folder);

  bool enabled() const { return !folder.empty(); }

  /// The content stored under a key (64 hexadecimal digits).
  std::optional<std::string> load(const std::string &key) const;

  /// Whether there is an entry of this key, sound or not.
  bool has(const std::string &key) const;

  /// Stores a content; a failure (a full disk, say) leaves nothing behind and
  /// stops nothing: the cache is only a help. Returns why it was not stored.
  Status store(const std::string &key, const std::string &content) const;

private:
  std::string folder;
};

/// Identifies this build of the compiler: what another one stored is not for it.
std::string compilerIdentity();

/// SHA-256 in hexadecimal.
std::string hashOf(const std::string &bytes);

} // namespace aft

#endif // AFT_RUNTIME_JIT_CACHE_H
