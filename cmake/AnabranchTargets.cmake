# One library and one test program per folder.
#   anabranch_library(storage SOURCES a.cc ... LINK ...)   -> target anabranch_storage
#   anabranch_test(storage SOURCES a_test.cc ... LINK ...) -> target storage_test, one CTest entry
# What is precompiled for them: the folder's own pch.h, else that of the library that PCH names, else that of base.
function(anabranch_precompile target pch)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/pch.h AND NOT pch)
    target_precompile_headers(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/pch.h)
  elseif(pch)
    target_precompile_headers(${target} REUSE_FROM anabranch_${pch})
  else()
    target_precompile_headers(${target} REUSE_FROM anabranch_base)
  endif()
endfunction()

function(anabranch_library name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;LINK" ${ARGN})
  add_library(anabranch_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(anabranch_${name} PUBLIC ${ARG_LINK} absl::status absl::statusor fmt::fmt Threads::Threads)
  anabranch_precompile(anabranch_${name} "${ARG_PCH}")
endfunction()

function(anabranch_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;PCH" "SOURCES;LINK" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  if(NOT ARG_PCH)
    set(ARG_PCH base)
  endif()
  anabranch_precompile(${name}_test ${ARG_PCH})
  add_test(NAME ${name} COMMAND ${name}_test)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp)
endfunction()

# C++ from .proto files of this folder, included as "<folder>/<name>.pb.h"; a library of its own: generated code is slow to compile and
# is not ours to lint.
function(anabranch_proto name)
  cmake_parse_arguments(ARG "" "" "PROTOS" ${ARGN})
  set(sources)
  foreach(proto ${ARG_PROTOS})
    file(RELATIVE_PATH stem ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    string(REPLACE ".proto" "" stem ${stem})
    add_custom_command(
      OUTPUT ${CMAKE_BINARY_DIR}/proto/${stem}.pb.cc ${CMAKE_BINARY_DIR}/proto/${stem}.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/proto
      COMMAND protobuf::protoc -I${CMAKE_SOURCE_DIR} --cpp_out=${CMAKE_BINARY_DIR}/proto ${CMAKE_SOURCE_DIR}/${stem}.proto
      DEPENDS ${proto})
    list(APPEND sources ${CMAKE_BINARY_DIR}/proto/${stem}.pb.cc)
  endforeach()
  add_library(anabranch_${name} STATIC ${sources})
  target_include_directories(anabranch_${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto)
  target_link_libraries(anabranch_${name} PUBLIC protobuf::libprotobuf)
  target_compile_options(anabranch_${name} PRIVATE -w)
endfunction()
