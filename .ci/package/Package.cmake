# `cmake --build build --target package`: a .tar.gz with everything and Debian packages, one per
# component of Install.cmake.
set(CPACK_AFT_NOBODY "AFT developers <aft@localhost>")
set(AFT_MAINTAINER "${CPACK_AFT_NOBODY}" CACHE STRING "Whom Debian packages name: NAME <ADDRESS>")
set(CPACK_PACKAGE_NAME aft)
set(CPACK_PACKAGE_VENDOR AFT)
set(CPACK_PACKAGE_CONTACT "${AFT_MAINTAINER}")
set(CPACK_PACKAGE_FILE_NAME aft-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_AFT_LICENSE ${aftLicense})
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
find_program(AFT_DPKG dpkg)
if(AFT_DPKG)
  list(APPEND CPACK_GENERATOR DEB)
endif()

# Folders that only this machine has are taken out of the RUNPATHs, and that of LLVM where no
# library of it is used directly.
set(aftPacked ${AFT_RUNPATH})
list(FILTER aftPacked INCLUDE REGEX "^/usr/lib")
set(AFT_PACKED_RUNPATH "${aftPacked}" CACHE INTERNAL "What tests expect")
set(CPACK_AFT_RUNPATH ${aftPacked})
set(usesLLVM aft_compiler aftc aft-opt aft-reduce aft-lsp-server)
set(others ${aftPrograms} ${aftTorchTargets})
list(REMOVE_ITEM others ${usesLLVM})
set(installed $ORIGIN/${aftLibraries} ${AFT_RUNPATH})
list(JOIN installed : installed)
set(script "")
foreach(group usesLLVM others)
  set(files ${${group}})
  list(TRANSFORM files REPLACE "(.+)" "$<TARGET_FILE_NAME:\\1>")
  set(packed $ORIGIN/${aftLibraries})
  if(group STREQUAL "usesLLVM")
    list(APPEND packed ${aftPacked})
  endif()
  list(JOIN packed : packed)
  string(APPEND script "\
foreach(name ${files})
  file(GLOB_RECURSE files \${CPACK_TEMPORARY_DIRECTORY}/\${name})
  foreach(file \${files})
    file(RPATH_CHANGE FILE \${file} OLD_RPATH [=[${installed}]=] NEW_RPATH [=[${packed}]=])
  endforeach()
endforeach()
")
endforeach()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/PackageRunpaths.cmake CONTENT "${script}")
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_BINARY_DIR}/PackageRunpaths.cmake
    ${CMAKE_SOURCE_DIR}/.ci/package/DebianFiles.cmake)

# Debian. Programs and libraries of one version belong together: they use each other's
# AFT_INTERNAL symbols.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL runtime development compiler)
if(AFT_ENABLE_TORCH)
  list(APPEND CPACK_COMPONENTS_ALL torch)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib)
set(same "(= ${PROJECT_VERSION})")
# Libraries lie where the loader looks: its cache is made anew, once for all packages of a call.
file(WRITE ${CMAKE_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
foreach(component RUNTIME COMPILER TORCH)
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/debian/triggers)
endforeach()

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libaft-runtime${AFT_C_ABI})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "runs models that the AFT compiler made
libaft_runtime loads artifacts of aftc and runs them on the CPU. It needs
neither LLVM nor LibTorch.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libaft-runtime-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libaft-runtime${AFT_C_ABI} ${same}")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "headers of the AFT runtime, for C and C++
The headers aft/aft.h (C) and aft/program.h (C++), and files for CMake and
pkg-config.")

# Artifacts are made by a linker. dpkg-shlibdeps takes libLLVM for a part of llvm-19-dev.
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME aft-compiler)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS
    "libaft-runtime${AFT_C_ABI} ${same}" "libaft-runtime-dev ${same}"
    "lld-${LLVM_VERSION_MAJOR} | binutils" libllvm${LLVM_VERSION_MAJOR})
list(JOIN CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS ", " CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SUGGESTS "libmlir-${LLVM_VERSION_MAJOR}-dev")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION "compiler for attention-free transformers
The programs aftc, aft-run, aft-opt, aft-reduce and aft-lsp-server, and
libaft_compiler with the headers aft/graph.h and aft/report.h, which builds
and compiles programs from C++.")

# There is no Debian package of that LibTorch: its users have it from PyPI or pytorch.org.
set(CPACK_DEBIAN_TORCH_PACKAGE_NAME aft-torch)
set(CPACK_DEBIAN_TORCH_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_TORCH_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_TORCH_PACKAGE_DEPENDS "aft-compiler ${same}, libc6, libgcc-s1, libstdc++6")
set(CPACK_COMPONENT_TORCH_DESCRIPTION "AFT for LibTorch modules
libaft_torch compiles LibTorch modules for inference and training and
registers the mixers as operators; libaft_import lets aftc and aft-run read
models of PyTorch; char-lm and aft-bench. LibTorch ${aftTorch} has to be
installed by other means, and found by the loader (LD_LIBRARY_PATH or
/etc/ld.so.conf.d).")
include(CPack)
