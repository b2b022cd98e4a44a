//===- TemporaryFolder.h - A folder that goes with its owner --------------===//

#ifndef AFT_TEST_TEMPORARYFOLDER_H
#define AFT_TEST_TEMPORARYFOLDER_H

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace aft::test {

/// Where no folder can be made, the process ends: no test means anything then.
class TemporaryFolder {
public:
  TemporaryFolder() : path((std::filesystem::temp_directory_path() / "aft-test-XXXXXX").string()) {
    if (mkdtemp(path.data()))
      return;
    std::perror(path.c_str());
    std::abort();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string path;
};

} // namespace aft::test

#endif // AFT_TEST_TEMPORARYFOLDER_H
