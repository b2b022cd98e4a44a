# CPack runs this before it packs: what Debian expects of each package in /usr/share/doc/PACKAGE.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
if(CPACK_PACKAGE_CONTACT STREQUAL CPACK_AFT_NOBODY)
  message(WARNING "the packages name '${CPACK_PACKAGE_CONTACT}' as their maintainer, a placeholder: "
                  "configure with -DAFT_MAINTAINER='NAME <ADDRESS>' before others get them")
endif()
if(NOT CPACK_AFT_LICENSE)
  message(WARNING "the sources have no file LICENSE: the packages say that no licence was granted")
  set(licence "\
No licence has been granted: the sources that this package was built from hold no file LICENSE.
All rights are with the copyright holders, and nobody else may hand this package on.
")
else()
  file(READ ${CPACK_AFT_LICENSE} licence)
endif()
# Of the same sources the same: SOURCE_DATE_EPOCH sets the time.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} name)
  set(package ${CPACK_DEBIAN_${name}_PACKAGE_NAME})
  set(folder ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/doc/${package})
  file(WRITE ${folder}/copyright "\
${CPACK_PACKAGE_NAME} ${CPACK_PACKAGE_VERSION}
Contact: ${CPACK_PACKAGE_CONTACT}

${licence}")
  file(WRITE ${folder}/changelog "\
${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}.

 -- ${CPACK_PACKAGE_CONTACT}  ${now}
")
  file(GLOB pages ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/man/man1/*.1)
  execute_process(COMMAND gzip -9nf ${folder}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
  # What lintian would complain of, and why it is so.
  if(component STREQUAL "compiler" AND CPACK_AFT_RUNPATH)
    set(overrides ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/lintian/overrides/${package})
    file(WRITE ${overrides} "# Debian has libMLIR in this folder alone.\n")
    foreach(runpath IN LISTS CPACK_AFT_RUNPATH)
      file(APPEND ${overrides} "${package}: custom-library-search-path RUNPATH ${runpath} [*]\n")
    endforeach()
    file(CHMOD ${overrides} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endif()
  file(CHMOD ${folder}/copyright ${folder}/changelog.gz PERMISSIONS
       OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
