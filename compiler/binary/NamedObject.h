//===- NamedObject.h - A part of a program as an object file --------------===//

#ifndef AFT_COMPILER_BINARY_NAMEDOBJECT_H
#define AFT_COMPILER_BINARY_NAMEDOBJECT_H

#include <string>

namespace aft {

/// One object file of a program, with the symbols' common name.
struct NamedObject {
  std::string name, object;
};

} // namespace aft

#endif // AFT_COMPILER_BINARY_NAMEDOBJECT_H
