// What check_abi.py asks the compiler about: the records of the public headers, and the virtual
// functions of public classes, which are listed where a class derives from them.

#include "aft/abi.h"
#include "aft/aft.h"
#include "aft/graph.h"
#include "aft/profile.h"
#include "aft/program.h"
#include "aft/report.h"

struct DerivedProgram : aft::Program {
  DerivedProgram();
};
DerivedProgram::DerivedProgram() {}
