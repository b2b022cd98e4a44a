// The same as layouts.cpp for the headers of libaft_torch.

#include "aft/nn.h"
#include "aft/torch.h"

template <typename Base> struct Derived : Base {
  using Base::Base;
};
template struct Derived<aft::nn::AFTFullImpl>;
template struct Derived<aft::nn::AFTLocalImpl>;
template struct Derived<aft::nn::AFTSimpleImpl>;
template struct Derived<aft::nn::AFTConvImpl>;
template struct Derived<aft::nn::BlockImpl>;
template struct Derived<aft::nn::LanguageModelImpl>;
template struct Derived<aft::nn::ImageClassifierImpl>;
