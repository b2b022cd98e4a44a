# What `cmake --install` installs, in the components that are Debian packages, too (Package.cmake):
# runtime, development, compiler and torch. Components of find_package(AFT) are runtime, compiler,
# dialect and torch: AFTConfig.cmake.in.
include(CMakePackageConfigHelpers)

# Libraries and programs find each other wherever the tree lies, and LLVM and LibTorch in the
# folders AFT_RUNPATH, which are those where the build found them unless it is given.
file(RELATIVE_PATH aftLibraries ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
get_target_property(aftRunpath MLIR LOCATION)
get_filename_component(aftRunpath "${aftRunpath}" DIRECTORY)
set(aftPrograms aftc aft-run aft-opt aft-reduce aft-lsp-server)
set(aftTorchTargets)
if(AFT_ENABLE_TORCH)
  get_directory_property(torch DIRECTORY frontends/torch DEFINITION TORCH_INSTALL_PREFIX)
  list(APPEND aftRunpath ${torch}/lib)
  set(aftTorchTargets aft_torch aft_import aft-bench char-lm)
endif()
if(NOT DEFINED AFT_RUNPATH)
  set(AFT_RUNPATH ${aftRunpath})
endif()
set(AFT_INSTALLED_RUNPATH "${AFT_RUNPATH}" CACHE INTERNAL "What tests expect")
foreach(target aft_compiler ${aftPrograms} ${aftTorchTargets})
  set_target_properties(${target} PROPERTIES
                        INSTALL_RPATH "$ORIGIN/${aftLibraries};${AFT_RUNPATH}")
endforeach()

# All that is installed, without tests and examples.
add_custom_target(products DEPENDS aft_runtime aft_compiler ${aftPrograms} ${aftTorchTargets})

# Targets under the name AFT::<component> and in the file AFT-<component>.cmake.
set(aftPackage ${CMAKE_INSTALL_LIBDIR}/cmake/AFT)
function(aft_install_targets component names)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "PACKAGE;DEVELOPMENT" "")
  install(TARGETS ${names} EXPORT AFT-${component}
          RUNTIME COMPONENT ${arg_PACKAGE}
          LIBRARY COMPONENT ${arg_PACKAGE} NAMELINK_COMPONENT ${arg_DEVELOPMENT}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT AFT-${component} NAMESPACE AFT:: DESTINATION ${aftPackage}
          COMPONENT ${arg_DEVELOPMENT})
  # The build tree is found, too: -DAFT_DIR=build.
  export(EXPORT AFT-${component} NAMESPACE AFT:: FILE ${CMAKE_BINARY_DIR}/AFT-${component}.cmake)
endfunction()
aft_install_targets(runtime aft_runtime PACKAGE runtime DEVELOPMENT development)
aft_install_targets(compiler "aft_compiler;${aftPrograms}" PACKAGE compiler DEVELOPMENT compiler)
aft_install_targets(dialect aft_dialect PACKAGE compiler DEVELOPMENT compiler)
if(AFT_ENABLE_TORCH)
  aft_install_targets(torch aft_torch PACKAGE torch DEVELOPMENT torch)
  # libaft_import is looked for beside libaft_compiler.
  install(TARGETS aft_import aft-bench char-lm RUNTIME COMPONENT torch LIBRARY COMPONENT torch)
endif()

# Headers.
set(aftHeaders ${CMAKE_INSTALL_INCLUDEDIR}/aft)
install(DIRECTORY runtime/include/aft/ DESTINATION ${aftHeaders} COMPONENT development
        PATTERN report.h EXCLUDE)
install(FILES runtime/include/aft/report.h frontends/builder/include/aft/graph.h
        DESTINATION ${aftHeaders} COMPONENT compiler)
if(AFT_ENABLE_TORCH)
  install(DIRECTORY frontends/torch/include/aft/ DESTINATION ${aftHeaders} COMPONENT torch)
endif()
# The dialect, for passes of one's own, with what TableGen made of it.
set(aftMlirHeaders ${CMAKE_INSTALL_INCLUDEDIR}/aft-mlir)
target_include_directories(aft_dialect INTERFACE
                           $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}>
                           $<INSTALL_INTERFACE:${aftMlirHeaders}>)
foreach(folder ir derivative)
  set(destination ${aftMlirHeaders}/dialect/${folder})
  install(DIRECTORY dialect/${folder}/ DESTINATION ${destination} COMPONENT compiler
          FILES_MATCHING PATTERN *.h PATTERN *.td PATTERN Precompiled.h EXCLUDE)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/dialect/${folder}/ DESTINATION ${destination}
          COMPONENT compiler FILES_MATCHING PATTERN *.h.inc)
endforeach()

# How they are found. LibTorch is compatible within MAJOR.MINOR.
if(AFT_ENABLE_TORCH)
  get_directory_property(aftTorch DIRECTORY frontends/torch DEFINITION Torch_VERSION)
  string(REGEX MATCH "^[0-9]+[.][0-9]+" aftTorch "${aftTorch}")
endif()
configure_package_config_file(.ci/package/AFTConfig.cmake.in ${CMAKE_BINARY_DIR}/AFTConfig.cmake
                              INSTALL_DESTINATION ${aftPackage} NO_SET_AND_CHECK_MACRO
                              NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/AFTConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/AFTConfig.cmake ${CMAKE_BINARY_DIR}/AFTConfigVersion.cmake
        DESTINATION ${aftPackage} COMPONENT development)
file(RELATIVE_PATH aftPrefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" aftPrefix "${aftPrefix}")
configure_file(.ci/package/aft-runtime.pc.in ${CMAKE_BINARY_DIR}/aft-runtime.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/aft-runtime.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# Documents, by the names that links between them have.
set(aftDocs ${CMAKE_INSTALL_DATADIR}/doc/aft)
install(FILES README.md DESTINATION ${aftDocs} COMPONENT development)
configure_file(.ci/package/aft.1.in ${CMAKE_BINARY_DIR}/aft.1 @ONLY)
function(aft_install_pages component)
  foreach(program ${ARGN})
    install(FILES ${CMAKE_BINARY_DIR}/aft.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
            RENAME ${program}.1 COMPONENT ${component})
  endforeach()
endfunction()
aft_install_pages(compiler ${aftPrograms})
if(AFT_ENABLE_TORCH)
  aft_install_pages(torch aft-bench char-lm)
endif()
# The licence, where the owners have granted one.
set(aftLicense)
if(EXISTS ${CMAKE_SOURCE_DIR}/LICENSE)
  set(aftLicense ${CMAKE_SOURCE_DIR}/LICENSE)
  install(FILES ${aftLicense} DESTINATION ${aftDocs} COMPONENT runtime)
endif()
install(FILES dialect/Operations.md DESTINATION ${aftDocs}/dialect COMPONENT compiler)
install(FILES compiler/README.md compiler/Passes.md DESTINATION ${aftDocs}/compiler
        COMPONENT compiler)
install(FILES frontends/README.md DESTINATION ${aftDocs}/frontends COMPONENT compiler)
install(FILES examples/c/train.c examples/c/generate.c examples/c/regression.mlir
        DESTINATION ${aftDocs}/examples/c COMPONENT development)
install(FILES examples/graph/block.cpp DESTINATION ${aftDocs}/examples/graph COMPONENT compiler)
